"""Passwords are hashed, slowly and evenly."""

from __future__ import annotations

import asyncio

from argon2 import extract_parameters

from analytics.catalog.password import HASHER, NOBODY, Passwords
from analytics.errors import TooMany


async def test_only_the_right_password_fits() -> None:
    passwords = Passwords()
    stored = await passwords.hashed("correct horse", "ada@example.com")
    assert await passwords.fits("correct horse", stored)
    assert not await passwords.fits("correct horsf", stored)


def test_the_hash_of_nobody_costs_what_a_real_one_costs() -> None:
    real, nobody = extract_parameters(HASHER.hash("x")), extract_parameters(NOBODY)
    assert real == nobody


async def test_nobody_is_never_let_in() -> None:
    assert not await Passwords().fits("", None)


async def test_who_is_at_home_does_not_wait_behind_strangers() -> None:
    passwords = Passwords()
    stored = await passwords.hashed("correct horse", "ada@example.com")
    guesses = [
        asyncio.create_task(passwords.fits(f"guess {n}", stored, at_home=False)) for n in range(12)
    ]
    await asyncio.sleep(0)
    assert await passwords.fits("correct horse", stored)
    assert not all(guess.done() for guess in guesses)
    assert not any(await asyncio.gather(*guesses))


async def test_one_too_many_is_refused_before_anything_is_hashed() -> None:
    passwords = Passwords()
    wave = [asyncio.create_task(passwords.fits("x", None, at_home=False)) for _ in range(400)]
    await asyncio.sleep(0)
    refused = [guess for guess in wave if guess.done()]
    assert len(refused) == 199
    for guess in refused:
        assert isinstance(guess.exception(), TooMany)
    for guess in wave:
        guess.cancel()
    await asyncio.gather(*wave, return_exceptions=True)
    assert not await passwords.fits("x", None, at_home=False)
