# SPDX-License-Identifier: Apache-2.0
"""One pool, several processes: never more at once, and a killed one leaves nothing behind."""

import os
import signal

SETTINGS = "\npools: {shop_db: 1}\n"
WORK = """\
with open('{log}', 'a') as log:
        log.write('begin\\n')
        log.flush()
        time.sleep({seconds})
        log.write('end\\n')
    return orders"""


def _uses_the_pool(shop, seconds):
    shop.write("mainstem.yml", shop.text("mainstem.yml") + SETTINGS)
    log = shop.folder / "pool.log"
    log.touch()
    shop.python(WORK.format(log=log, seconds=seconds), ", pool='shop_db', rebuild='always'")
    return log


def test_two_processes_never_use_one_slot_at_once(shop):
    log = _uses_the_pool(shop, 1)
    runs = [shop.start("run", "--branch", name, "--no-ingest") for name in ("one", "two")]

    for run in runs:
        out, err = run.communicate(timeout=120)
        assert run.returncode == 0, out + err
    assert log.read_text().split() == ["begin", "end"] * 2


def test_the_slot_of_a_killed_run_is_free_for_the_next(shop):
    shop.write("mainstem.yml", shop.text("mainstem.yml") + SETTINGS)
    told = shop.folder / "told"
    os.mkfifo(told)
    work = f"open('{told}', 'w').write('begin'); time.sleep(600)"
    shop.python(work, ", pool='shop_db', rebuild='always'")
    killed = shop.start("run", "--branch", "one", "--no-ingest")
    assert told.read_text() == "begin"
    killed.send_signal(signal.SIGKILL)
    killed.communicate(timeout=30)
    shop.python("return orders", ", pool='shop_db', rebuild='always'")

    shop.runs_well("--branch", "two", "--no-ingest")

    assert shop.query("select count(*) as n from marts.judged", "--branch", "two") == [{"n": 3}]


def test_a_pool_that_is_not_there_is_named(shop):
    shop.write("mainstem.yml", shop.text("mainstem.yml") + SETTINGS)
    shop.python("return orders", ", pool='shopdb'")

    assert "Did you mean `shop_db`?" in shop.refused("A1032")
