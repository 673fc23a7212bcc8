# SPDX-License-Identifier: Apache-2.0
"""The inbox of a run: descriptors beside the queue, told once, and woken by whoever puts."""

import os
import threading

import pytest

from mainstem.runs.inbox import Audible, Inbox, Interrupted
from mainstem.runs.workers import Threads
from mainstem.types import SystemClock


@pytest.fixture
def inbox():
    clock = SystemClock()
    made = Inbox(clock, Threads(clock).post())
    yield made
    made.close()


@pytest.fixture
def pipes():
    """Make pipes."""
    made = []

    def make():
        made.append(os.pipe())
        return made[-1]

    yield make
    for pipe in made:
        for descriptor in pipe:
            os.close(descriptor)


def test_a_readable_descriptor_is_told_once(inbox, pipes):
    ours, theirs = pipes()
    inbox.listen(ours, Audible(1, 1))
    os.write(theirs, b"x")
    assert inbox.wait(is_idle=False) == [Audible(1, 1)]

    inbox.put(Interrupted())

    assert inbox.wait(is_idle=False) == [Interrupted()]


def test_several_that_are_readable_are_told_together(inbox, pipes):
    for number in range(3):
        ours, theirs = pipes()
        inbox.listen(ours, Audible(number, 1))
        os.write(theirs, b"x")

    assert {message.step for message in inbox.wait(is_idle=False)} == {0, 1, 2}


def test_who_puts_from_another_thread_ends_the_wait(inbox, pipes):
    ours, _theirs = pipes()
    inbox.listen(ours, Audible(1, 1))
    thread = threading.Timer(0.05, lambda: inbox.put(Interrupted()))
    thread.start()

    assert inbox.wait(is_idle=False) == [Interrupted()]
    thread.join()


def test_what_was_put_before_the_wait_is_not_waited_for(inbox, pipes):
    ours, _theirs = pipes()
    inbox.listen(ours, Audible(1, 1))
    inbox.put(Interrupted())

    assert inbox.wait(is_idle=False) == [Interrupted()]


def test_a_timer_ends_the_wait_for_descriptors(inbox, pipes):
    ours, _theirs = pipes()
    inbox.listen(ours, Audible(1, 1))
    inbox.after(0.02, Interrupted())

    assert inbox.wait(is_idle=False) == [Interrupted()]


def test_what_is_ignored_is_not_told(inbox, pipes):
    ours, theirs = pipes()
    inbox.listen(ours, Audible(1, 1))
    os.write(theirs, b"x")
    inbox.ignore(ours)
    inbox.put(Interrupted())

    assert inbox.wait(is_idle=False) == [Interrupted()]


def test_no_message_is_lost_when_many_threads_put_while_others_are_listened_to(inbox, pipes):
    ours, _theirs = pipes()
    inbox.listen(ours, Audible(1, 1))

    def put():
        for _ in range(500):
            inbox.put(Interrupted())

    threads = [threading.Thread(target=put) for _ in range(4)]
    for thread in threads:
        thread.start()
    count = 0
    while count < 2000:
        count += len(inbox.wait(is_idle=False))
    for thread in threads:
        thread.join()

    assert count == 2000


def test_who_puts_after_the_end_touches_no_descriptor(inbox, pipes):
    ours, _theirs = pipes()
    inbox.listen(ours, Audible(1, 1))
    inbox.close()
    inbox.put(Interrupted())
