"""A local AWS: the ministack emulator, with what it lacks or gets wrong added.

Run it with ``python -m cordon_local``. Every module but the server itself has
an ``install()`` that mends one part of the emulator; ``pins`` makes sure that
what they replace is what they were written against.
"""

REGION = "us-east-1"
SECURITY_ACCOUNT = "111111111111"
MEMBER_ACCOUNTS = ("222222222222", "333333333333")
MANAGEMENT_ACCOUNT = "999999999999"
ACCOUNTS = (SECURITY_ACCOUNT, *MEMBER_ACCOUNTS, MANAGEMENT_ACCOUNT)
ORGANIZATION_ID = "o-cordonlocal"
# Which accounts are in which of its OUs; the management account is in none.
ORGANIZATIONAL_UNITS = {
    "ou-cord-security": (SECURITY_ACCOUNT,),
    "ou-cord-payments": MEMBER_ACCOUNTS[:1],
    "ou-cord-research": MEMBER_ACCOUNTS[1:],
}
