# SPDX-License-Identifier: Apache-2.0
"""What is not GraphQL: data as files, health, metrics."""
