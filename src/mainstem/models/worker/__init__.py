# SPDX-License-Identifier: Apache-2.0
"""Warm worker processes: user code is imported and run there, never in the supervisor."""
