import threading

import pytest

from metaloss.runtime.ahead import mapped_ahead


def test_results_in_order_and_never_more_than_there_is_room_for():
    begun, taken, most = [], [], []

    def items():
        for number in range(40):
            begun.append(number)
            most.append(len(begun) - len(taken))
            yield number

    for result in mapped_ahead(lambda number: number**2, items(), workers=3, weight=lambda number: 1, room=5):
        taken.append(result)
    assert taken == [number**2 for number in range(40)]
    assert max(most) <= 6  # five begun, and the one that waits for its room
    assert max(most) >= 5


def test_two_are_begun_however_heavy():
    at_work = threading.Barrier(2, timeout=20)  # broken, unless two run at a time
    heavy = mapped_ahead(lambda number: at_work.wait(), range(6), workers=2, weight=lambda number: 100, room=1)
    assert len(list(heavy)) == 6


def test_an_error_comes_in_its_turn_and_ends_the_threads():
    def call(number):
        if number == 3:
            raise ValueError("the third")
        return number

    results, threads = [], threading.active_count()

    def take(items):
        for result in mapped_ahead(call, items, workers=2, weight=lambda number: 1, room=4):
            results.append(result)

    with pytest.raises(ValueError, match="the third"):
        take(range(1000))
    assert results == [0, 1, 2]
    assert threading.active_count() == threads
    assert list(mapped_ahead(call, [], workers=2, weight=lambda number: 1, room=4)) == []


def test_an_error_of_the_items_comes_after_the_results_before_it():
    def items():
        yield from range(3)
        raise ValueError("no more")

    results = mapped_ahead(lambda number: number, items(), workers=2, weight=lambda number: 1, room=10)
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(ValueError, match="no more"):
        next(results)
