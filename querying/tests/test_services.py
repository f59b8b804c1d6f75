from __future__ import annotations

from collections.abc import Callable

import pytest
from asgiref.sync import sync_to_async

from datasets.access import Principal
from datasets.models import Dataset
from logs_analytics.models import QueryLog
from querying.engine import Engine
from querying.services import Call, answer
from querying.sql.plan import QueryRequest

OPERATOR = Call(principal=Principal(person="operator", datasets=None, operator=True), door="test", tool="execute_query")
pytestmark = pytest.mark.django_db(transaction=True)


async def test_answers_a_registered_dataset_and_records_it(
    make_active: Callable[..., Dataset], engine: Engine, shop_dsn: str
) -> None:
    await sync_to_async(make_active)("shop", shop_dsn)
    await engine.refresh()

    (answered,) = await answer(
        OPERATOR, [QueryRequest("shop", "SELECT gender, count(*) AS n FROM users GROUP BY 1 ORDER BY 1")], engine=engine
    )

    assert answered.error is None
    assert answered.value is not None
    assert answered.value.rows == (("Female", 25), ("Male", 25))
    row = await QueryLog.objects.aget(pk=answered.id)
    assert (row.outcome, row.datasets, row.row_count) == ("answered", ["shop"], 2)
