# SPDX-License-Identifier: Apache-2.0
"""Arguments that several fields take, with their descriptions."""

from __future__ import annotations

from typing import Annotated

from strawberry import argument

Select = Annotated[
    list[str] | None,
    argument(description="Assets, in the grammar of `mainstem list --select`; all without."),
]
Exclude = Annotated[list[str] | None, argument(description="Assets to leave out, written alike.")]
First = Annotated[int, argument(description="Items of the page, 1,000 at most.")]
After = Annotated[str | None, argument(description="Cursor of the page before.")]
At = Annotated[
    str | None,
    argument(description="A branch, tag, commit or time; what the environment reads without."),
]
Number = Annotated[int, argument(description="Its number.")]
Key = Annotated[str, argument(description="`namespace.name`, or a name that is unique.")]
Name = Annotated[str, argument(description="Its name.")]
Place = Annotated[str, argument(description="A branch, tag, commit or time.")]
Text = Annotated[str, argument(description="Words; all of them must be found.")]
Message = Annotated[str, argument(description="Of the commit.")]
RunNumber = Annotated[int, argument(description="Number of the run.")]
