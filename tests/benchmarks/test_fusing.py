import re

import pytest

from benchmarks import fusing


def test_both_ways_write_the_same(capsys):
    fusing.main(["--network", "densefuse", "--size", "32x40", "--files", "5", "--repeats", "1", "--threads", "1"])
    said = capsys.readouterr().out
    assert re.search(r"one by one [\d.]+; ahead [\d.]+: [\d.]+ times as many", said)
    differing, most = map(int, re.search(r"(\d+) of 5 images differ, by (\d+) of 255", said).groups())
    assert differing <= 5
    assert most <= 1


@pytest.mark.slow
def test_memory_and_large_images(capsys):
    fusing.main(["--network", "densefuse", "--memory", "20"])
    fusing.main(["--network", "densefuse", "--large", "80", "--tile", "48"])
    said = capsys.readouterr().out
    assert len(re.findall(r"files \d+ to \d+: held \d+ MB", said)) == 10
    assert re.search(r"80x80, tile 48: \d+ s, of the processor \d+ s, \d+ MB", said)
