# SPDX-License-Identifier: Apache-2.0
"""Python models as declared: decorators, what workers found, and the assets made of it."""
