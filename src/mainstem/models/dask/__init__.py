# SPDX-License-Identifier: Apache-2.0
"""Dask as an executor of Python steps: one future for each asset x partition."""
