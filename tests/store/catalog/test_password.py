"""Passwords are hashed, slowly and evenly."""

from __future__ import annotations

from argon2 import extract_parameters

from analytics.store.catalog.password import HASHER, NOBODY, Passwords


async def test_only_the_right_password_fits() -> None:
    passwords = Passwords()
    stored = await passwords.hashed("correct horse")
    assert await passwords.fits("correct horse", stored)
    assert not await passwords.fits("correct horsf", stored)


def test_the_hash_of_nobody_costs_what_a_real_one_costs() -> None:
    real, nobody = extract_parameters(HASHER.hash("x")), extract_parameters(NOBODY)
    assert real == nobody


async def test_nobody_is_never_let_in() -> None:
    assert not await Passwords().fits("", None)
