# SPDX-License-Identifier: Apache-2.0
"""Assets that a command builds: a program in any language, declared in YAML (ADR 0024)."""
