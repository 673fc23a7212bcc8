# SPDX-License-Identifier: Apache-2.0
"""The GraphQL schema by noun, and what carries it over HTTP.

Entered by `endpoint`; importing a noun imports strawberry, which costs half a start of the server:
`schema.load` does it beside the first answers.
"""
