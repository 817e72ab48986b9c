"""What the model is asked follows the promotions, from one start to the next."""

from collections.abc import Sequence
from datetime import UTC, datetime

from agent.ports import LabelScores, Message
from agent.scripted import ScriptedModel
from agent.settings import Settings
from prompts.aliases import promote, rollback
from retrieval.types import Query
from tests.agent.recommending.conftest import Build
from tests.prompts.folders import add_version

AT = datetime(2026, 5, 1, tzinfo=UTC)
WISH = Query(user_id="ann", text="a quiet kettle")


class Listening(ScriptedModel):
    """Remembers the rules that it was told."""

    rules = ""

    def label_logprobs(
        self,
        conversations: Sequence[Sequence[Message]],
        labels: Sequence[str],
        *,
        deadline: float | None = None,
    ) -> LabelScores:
        self.rules = conversations[0][0]["content"]
        return super().label_logprobs(conversations, labels, deadline=deadline)


def test_a_promoted_prompt_is_used_from_the_next_start_and_a_rollback_too(
    filled: Settings, build: Build
) -> None:
    folder = filled.store.home / "prompts"
    add_version(folder, "rerank", 2, edit=lambda text: text.replace("Judge", "Decide"))
    model = Listening()
    running = build(filled, model)
    promote(folder, "rerank@2", "production", at=AT, force=True, because="a test")
    running.refresh()
    trace = running.recommend(WISH).trace
    assert trace.prompt_versions == {"rerank": "rerank@1"}
    assert model.rules.startswith("Judge")

    trace = build(filled, model).recommend(WISH).trace
    assert trace.prompt_versions == {"rerank": "rerank@2"}
    assert model.rules.startswith("Decide")

    rollback(folder, "production", "rerank", at=AT, because="a test")
    trace = build(filled, model).recommend(WISH).trace
    assert trace.prompt_versions == {"rerank": "rerank@1"}
