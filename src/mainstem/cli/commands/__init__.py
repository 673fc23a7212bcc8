# SPDX-License-Identifier: Apache-2.0
"""The commands, a module per group; each is `<name>_command` and is imported when called."""
