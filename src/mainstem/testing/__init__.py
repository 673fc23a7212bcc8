# SPDX-License-Identifier: Apache-2.0
"""What tests of this package, and of plugins for it, are made with; nothing here runs in use."""
