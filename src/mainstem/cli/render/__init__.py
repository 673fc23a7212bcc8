# SPDX-License-Identifier: Apache-2.0
"""From values to lines of text: pure functions, tested against expected texts."""
