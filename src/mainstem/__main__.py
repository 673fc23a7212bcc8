# SPDX-License-Identifier: Apache-2.0
"""`python -m mainstem` is the `mainstem` command."""

from mainstem.cli import main

if __name__ == "__main__":
    main()
