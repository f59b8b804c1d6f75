"""Answers that were not ready in time, kept in Redis under a handle, so that any web process can hand them out.

    handle = await held.open(owner, head)      the worker: open, then put and beat, then finish
    batch = await held.wait(handle, owner=owner, timeout_s=20)      any process, with the caller's own name

In Redis stand ciphertexts, digests, sizes and times only: who reads Redis learns neither handles nor labels.
The scripts make the keys that they expire themselves, so this is for one Redis, not for a Redis Cluster.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import logging
import secrets
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final, Protocol, TypeVar

from cryptography.fernet import InvalidToken
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError

from config.errors import HoldingUnavailable, ResultNotFound

PREFIX: Final = "mcp-analytics:held:"
SIZES_KEY: Final = f"{PREFIX}sizes"
ENDS_KEY: Final = f"{PREFIX}ends"
HANDLE_BYTES: Final = 15  # 120 bits, 24 characters of base32
THREAD_BYTES: Final = 65_536  # compressing and encrypting as much takes about a millisecond of the loop
CONNECTIONS: Final = 16  # of one process
CONNECT_TIMEOUT_S: Final = 0.5
CALL_TIMEOUT_S: Final = 1.0
FIRST_PAUSE_S: Final = 0.1
LONGEST_PAUSE_S: Final = 1.0
PAUSE_GROWTH: Final = 1.5
GONE: Final = -1
DONE_FIELD: Final = b"done:"
LOST_FIELD: Final = b"lost:"
log = logging.getLogger(__name__)

T = TypeVar("T")


class Cipher(Protocol):
    """What encrypts at rest: a `MultiFernet` of the keys in ENCRYPTION_KEY."""

    def encrypt(self, msg: bytes, /) -> bytes: ...
    def decrypt(self, msg: bytes, /) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Held:
    """What is known of a batch; a label in neither `items` nor `lost` once it is settled was never written.

    `abandoned` says that the process that worked on it is not heard of; a late sign of life takes it back.
    """

    head: bytes = field(repr=False)
    items: Mapping[str, bytes] = field(repr=False)
    lost: frozenset[str]
    finished: bool
    abandoned: bool


@dataclass(frozen=True, slots=True)
class _State:
    finished: bool
    abandoned: bool


# ── scripts ──────────────────────────────────────────────────────────────────────────────────────────────────
# Each runs as a whole, so what it finds free is still free when it writes. SIZES holds the bytes of each batch and
# of all ('total'), ENDS when each one expires. Neither expires itself: a Redis that evicts would take the count
# away before what is counted. Times are Redis's own milliseconds, the one clock that all processes share.
LIBRARY: Final = """
local BATCH, SIZES, ENDS = KEYS[1], KEYS[2], KEYS[3]
local ttl_ms, max_bytes, total_bytes = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)

local function size_of(name)
  return tonumber(redis.call('HGET', SIZES, name) or 0)
end

local function add_size(batch, bytes)
  -- Lua writes -0 as "-0", which HINCRBY refuses
  if bytes == 0 then return end
  redis.call('HINCRBY', SIZES, batch, bytes)
  redis.call('HINCRBY', SIZES, 'total', bytes)
end

local function forget_expired()
  for _, ended in ipairs(redis.call('ZRANGEBYSCORE', ENDS, '-inf', now)) do
    add_size(ended, -size_of(ended))
    redis.call('HDEL', SIZES, ended)
    redis.call('ZREM', ENDS, ended)
    redis.call('UNLINK', ended)
  end
  if redis.call('EXISTS', ENDS) == 0 then redis.call('DEL', SIZES) end
end

local function take_room(bytes)
  if size_of(BATCH) + bytes > max_bytes or size_of('total') + bytes > total_bytes then return false end
  add_size(BATCH, bytes)
  return true
end

local function keep_alive()
  -- the time to live counts from the finish, whatever a late beat says
  if redis.call('HEXISTS', BATCH, 'finished') == 1 then return end
  redis.call('HSET', BATCH, 'beat_at', now)
  redis.call('PEXPIREAT', BATCH, now + ttl_ms)
  redis.call('ZADD', ENDS, now + ttl_ms, BATCH)
end
"""

OPEN: Final = """
local owner, head = ARGV[4], ARGV[5]
forget_expired()
-- the first call's answer was lost on the way
if redis.call('EXISTS', BATCH) == 1 then return 1 end
if not take_room(#head) then return 0 end
redis.call('HSET', BATCH, 'owner', owner, 'head', head)
keep_alive()
return 1
"""

# an item that is too large to be worth sending comes as its size alone
PUT: Final = """
local done_field, lost_field, size, item, mark = ARGV[4], ARGV[5], tonumber(ARGV[6]), ARGV[7], ARGV[8]
forget_expired()
if redis.call('EXISTS', BATCH) == 0 then return -1 end
keep_alive()
-- an item that is put twice counts once
add_size(BATCH, -redis.call('HSTRLEN', BATCH, done_field))
redis.call('HDEL', BATCH, done_field, lost_field)
if not take_room(size) then
  redis.call('HSET', BATCH, lost_field, mark)
  return 0
end
redis.call('HSET', BATCH, done_field, item)
return 1
"""

BEAT: Final = """
if redis.call('EXISTS', BATCH) == 0 then return -1 end
keep_alive()
return 1
"""

FINISH: Final = """
if redis.call('EXISTS', BATCH) == 0 then return -1 end
keep_alive()
redis.call('HSET', BATCH, 'finished', 1)
return 1
"""

LOOK: Final = """
local known = redis.call('HMGET', BATCH, 'owner', 'finished', 'beat_at')
return {known[1], known[2], now - (known[3] or now)}
"""

FETCH: Final = """
return redis.call('HGETALL', BATCH)
"""

BODIES: Final = (OPEN, PUT, BEAT, FINISH, LOOK, FETCH)


class HeldResults:
    """The batches of all processes on one Redis; make one per process and event loop, and close it.

    A batch lives `ttl_s` seconds from its last sign of life, then from its finish. Its head and items may take
    `max_bytes`, all batches together `total_bytes`, both as stored: compressed, encrypted, in base64.
    """

    def __init__(
        self,
        redis_url: str,
        *,
        cipher: Cipher,
        ttl_s: float = 600,
        max_bytes: int = 8_000_000,
        total_bytes: int = 256_000_000,
        silence_s: float = 15,
    ) -> None:
        self._cipher = cipher
        self._silence_s = silence_s
        self._max_bytes = max_bytes
        self._limits = (int(ttl_s * 1000), max_bytes, total_bytes)
        self._redis = _make_client(redis_url)
        self._scripts = {body: self._redis.register_script(LIBRARY + body) for body in BODIES}

    async def open(self, owner: str, head: bytes) -> str:
        """A new handle that only `owner` can read; raises HoldingUnavailable where there is no Redis or no room."""
        handle = base64.b32encode(secrets.token_bytes(HANDLE_BYTES)).decode().lower()
        if not await self._run(OPEN, handle, _digest(handle, owner), await self._seal(head)):
            raise HoldingUnavailable("The store of unfinished answers is full.")
        return handle

    async def put(self, handle: str, label: str, payload: bytes) -> bool:
        """Keep one answer; False where there is no room for it, and then its label is lost.

        Raises ResultNotFound for a handle that has expired, HoldingUnavailable where Redis is away.
        """
        item, mark = await self._seal(_frame(label, payload)), await self._seal(_frame(label, b""))
        name = _digest(handle, label)
        sent = b"" if len(item) > self._max_bytes else item
        return bool(await self._run(PUT, handle, DONE_FIELD + name, LOST_FIELD + name, len(item), sent, mark))

    async def beat(self, handle: str) -> None:
        """The worker lives; to be called more often than every `silence_s`. Raises as `put`."""
        await self._run(BEAT, handle)

    async def finish(self, handle: str) -> None:
        """Nothing more will come; the time to live begins. Raises as `put`."""
        await self._run(FINISH, handle)

    async def read(self, handle: str, *, owner: str) -> Held:
        """What is there now; raises ResultNotFound, the same for every handle that is not this owner's."""
        state = await self._look(handle, owner=owner)
        # in this order: whatever was put before a finish that was seen is there
        return await self._fetch(handle, state)

    async def wait(self, handle: str, *, owner: str, timeout_s: float) -> Held:
        """What is there once it is finished or abandoned, or after `timeout_s` seconds; raises as `read`."""
        deadline, pause_s = time.monotonic() + timeout_s, FIRST_PAUSE_S
        while True:
            state = await self._look(handle, owner=owner)
            left_s = deadline - time.monotonic()
            if state.finished or state.abandoned or left_s <= 0:
                return await self._fetch(handle, state)
            await asyncio.sleep(min(pause_s, left_s))
            pause_s = min(pause_s * PAUSE_GROWTH, LONGEST_PAUSE_S)

    async def close(self) -> None:
        await self._redis.aclose()

    async def _look(self, handle: str, *, owner: str) -> _State:
        stored, finished, silent_ms = await self._run(LOOK, handle)
        # before anything else is read: a stranger must not learn from the time it takes how much there is
        if not hmac.compare_digest(stored or bytes(hashlib.sha256().digest_size), _digest(handle, owner)):
            raise _not_found()
        return _State(bool(finished), abandoned=not finished and silent_ms > self._silence_s * 1000)

    async def _fetch(self, handle: str, state: _State) -> Held:
        flat = await self._run(FETCH, handle)
        if not flat:
            raise _not_found()
        stored: dict[bytes, bytes] = dict(zip(flat[::2], flat[1::2], strict=True))
        try:
            return await _off_loop(lambda: self._unseal_batch(stored, state), size=sum(map(len, flat)))
        except InvalidToken as error:
            log.warning("a held batch was encrypted with a key that ENCRYPTION_KEY no longer lists")
            raise _not_found() from error

    def _unseal_batch(self, stored: Mapping[bytes, bytes], state: _State) -> Held:
        items = [self._unseal(value) for name, value in stored.items() if name.startswith(DONE_FIELD)]
        lost = [self._unseal(value) for name, value in stored.items() if name.startswith(LOST_FIELD)]
        return Held(
            head=self._unseal(stored[b"head"]),
            items=dict(map(_unframe, items)),
            lost=frozenset(label for label, _ in map(_unframe, lost)),
            finished=state.finished,
            abandoned=state.abandoned,
        )

    async def _seal(self, plain: bytes) -> bytes:
        return await _off_loop(lambda: self._cipher.encrypt(zlib.compress(plain, 1)), size=len(plain))

    def _unseal(self, sealed: bytes) -> bytes:
        return zlib.decompress(self._cipher.decrypt(sealed))

    async def _run(self, body: str, handle: str, *arguments: bytes | int) -> Any:  # Any: what the script returns
        with _redis_errors():
            # redis-py on Python 3.11 swallows some cancellations (asyncio.wait_for does), and a call that is cut off
            # costs its connection; shielded, it ends by itself within its timeouts
            answer = await asyncio.shield(self._scripts[body](keys=_keys(handle), args=(*self._limits, *arguments)))
        if answer == GONE:
            raise _not_found()
        return answer


def _make_client(redis_url: str) -> Redis:
    pool = BlockingConnectionPool.from_url(
        redis_url,
        max_connections=CONNECTIONS,
        timeout=CALL_TIMEOUT_S,
        socket_timeout=CALL_TIMEOUT_S,
        socket_connect_timeout=CONNECT_TIMEOUT_S,
        # a connection that a restart of Redis cut is met once; a timeout is not waited for twice
        retry=Retry(NoBackoff(), 1, supported_errors=(RedisConnectionError,)),
    )
    return Redis.from_pool(pool)


@contextmanager
def _redis_errors() -> Iterator[None]:
    try:
        yield
    except (RedisError, OSError) as error:
        cause = type(error).__name__  # its text may hold the address
        raise HoldingUnavailable(f"The store of unfinished answers (Redis) did not answer ({cause}).") from error


def _not_found() -> ResultNotFound:
    return ResultNotFound("There is no result under this handle.")


def _keys(handle: str) -> tuple[str, str, str]:
    """A digest is a good key for whatever text a caller sends, and does not tell the handle to who lists keys."""
    return f"{PREFIX}batch:{hashlib.sha256(_encode(handle)).hexdigest()}", SIZES_KEY, ENDS_KEY


def _digest(handle: str, text: str) -> bytes:
    """SHA-256 of an owner or label, keyed by the handle: short names cannot be guessed from it."""
    return hmac.digest(_encode(handle), _encode(text), "sha256")


def _frame(label: str, payload: bytes) -> bytes:
    name = _encode(label)
    return len(name).to_bytes(4, "big") + name + payload


def _unframe(framed: bytes) -> tuple[str, bytes]:
    end = 4 + int.from_bytes(framed[:4], "big")
    return framed[4:end].decode(errors="surrogatepass"), framed[end:]


def _encode(text: str) -> bytes:
    # JSON may hold half a surrogate pair, and it is no error here
    return text.encode(errors="surrogatepass")


async def _off_loop(work: Callable[[], T], *, size: int) -> T:
    return await asyncio.to_thread(work) if size > THREAD_BYTES else work()
