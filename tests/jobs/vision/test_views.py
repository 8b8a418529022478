from __future__ import annotations

import asyncio
import base64
import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from clusterlab.errors import InputError
from jobs.launch.folder import VARIABLE
from jobs.thinking.journal import Journal
from jobs.vision.here import Model, answer_here
from jobs.vision.learner import ASSISTANT, IMAGE, USER
from jobs.vision.questions import make_problems
from jobs.vision.scenes import STYLE
from jobs.vision.there import answer_there, counts_there, data_url
from jobs.vision.tiling import SIZES, SMALL, scaled
from jobs.vision.views import Answered, Own, Said, View, own_pictures, views_of
from tests.jobs.thinking.conftest import Answer, StandIn, client_of, serve
from tests.jobs.vision.conftest import LEARNER

__all__ = ["serve"]

PROBLEMS = make_problems(8, STYLE, seed=0)


def shown(view: View, *, instructed: bool = False) -> list[Any]:
    return views_of(PROBLEMS, view, tile=32, instructed=instructed)


def said(text: str) -> Said:
    return Said(text=text, prompt_tokens=9, new_tokens=2)


def pixels(image: Any) -> Any:
    return image.size, image.tobytes()


def test_each_view_shows_what_it_says() -> None:
    whole = PROBLEMS[0].scene.draw()
    assert pixels(shown(View.TILES)[0].picture()) == pixels(whole)
    assert pixels(shown(View.ONE_TILE)[0].picture()) == pixels(whole.resize((32, 32)))
    assert pixels(shown(View.SWAPPED)[-1].picture()) == pixels(whole)
    blank = shown(View.BLANK)[0].picture()
    assert (blank.size, len(set(blank.get_flattened_data()))) == (whole.size, 1)
    assert {one.text for view in View for one in shown(view)} == {problem.question.text for problem in PROBLEMS}


def test_a_model_that_was_not_trained_on_it_is_told_how_to_answer() -> None:
    assert all(" Answer with one word: " in one.text for one in shown(View.TILES, instructed=True))


def test_an_answer_is_judged_by_the_question() -> None:
    one, question = shown(View.TILES)[0], PROBLEMS[0].question
    right = one.answered(View.TILES, 0, said(f"It is a {question.answer}."))
    assert (right.right, right.parsed, right.kind, right.answer) == (True, True, "shape", question.answer)
    wrong = one.answered(View.TILES, 0, said(" or ".join(question.options)))
    assert (wrong.right, wrong.parsed, wrong.prompt_tokens, wrong.new_tokens) == (False, False, 9, 2)


@pytest.mark.parametrize(
    ("answer", "text", "right"),
    [
        ("a cat", "It is A Cat!", True),
        ("cat", "two cats", False),
        ("tabby cat", "a cat, tabby", False),
        (None, "a cat", False),
    ],
)
def test_an_own_picture_is_right_where_the_answer_is_said(answer: str | None, text: str, *, right: bool) -> None:
    found = Own(path=Path("a.png"), text="What?", answer=answer).answered("own", 3, said(text))
    assert (found.right, found.problem, found.question, found.answer) == (right, 3, "What?", answer)


def write_questions(folder: Path, *lines: str) -> None:
    Image.new("RGBA", (30, 20), "red").save(folder / "a.png")
    (folder / "text.png").write_text("no picture")
    (folder / "questions.jsonl").write_text("\n".join(lines) + "\n")


def test_a_folder_of_own_pictures_is_read(tmp_path: Path) -> None:
    asked = {"picture": "a.png", "question": "What colour?", "answer": "red"}
    write_questions(tmp_path, json.dumps(asked), json.dumps(asked | {"answer": None}))
    first, second = own_pictures(tmp_path)
    assert (first.text, first.picture().size, first.picture().mode) == ("What colour?", (30, 20), "RGB")
    assert isinstance(second, Own)
    assert second.answer is None


def test_every_line_that_cannot_be_asked_is_named(tmp_path: Path) -> None:
    lines = ["{", '["a.png"]', '{"picture": "a.png"}']
    lines += [json.dumps({"picture": name, "question": "?"}) for name in ("none.png", "text.png", "a.png")]
    write_questions(tmp_path, *lines)
    with pytest.raises(InputError) as caught:
        own_pictures(tmp_path)
    message = str(caught.value)
    assert re.findall(r"line (\d)", message) == ["1", "2", "3", "4", "5"]
    assert message.count('allowed: {"picture": "a.png"') == 3
    assert "picture 'none.png': " in message


def journal(path: Path) -> Journal[Answered]:
    return Journal(path=path / "answers.jsonl", kind=Answered)


def test_what_has_an_answer_is_not_asked_again_here(
    trained: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    asked: list[str] = []
    answers = trained.answers

    def counted(pictures: Any, texts: Any, **values: Any) -> list[Said]:
        asked.extend(texts)
        return answers(pictures, texts, **values)

    monkeypatch.setattr(trained, "answers", counted)
    answer_here(trained, View.TILES, shown(View.TILES)[:3], journal(tmp_path), max_tokens=3)
    answer_here(trained, View.TILES, shown(View.TILES), journal(tmp_path), max_tokens=3)
    assert asked == [problem.question.text for problem in PROBLEMS]
    assert sorted(journal(tmp_path).of(View.TILES)) == list(range(8))


def test_a_server_is_sent_the_picture_and_the_question_as_a_chat(
    serve: Callable[[Answer], StandIn], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    server, posed = serve(lambda _: ["circle"]), shown(View.TILES)
    client = client_of(server, chat=True)
    asyncio.run(answer_there(client, "served", posed, journal(tmp_path), max_tokens=4, concurrency=1))
    assert [body["path"] for body in server.bodies] == ["/v1/chat/completions"] * len(PROBLEMS)
    picture, text = server.bodies[0]["messages"][0]["content"]
    assert text == {"type": "text", "text": PROBLEMS[0].question.text}
    assert picture == {"type": "image_url", "image_url": {"url": data_url(PROBLEMS[0].scene.draw())}}
    assert (server.bodies[0]["max_tokens"], server.bodies[0]["temperature"]) == (4, 0)
    found = journal(tmp_path).of("served")
    assert [found[number].right for number in range(8)] == [p.question.answer == "circle" for p in PROBLEMS]


def test_what_a_server_counts_of_a_picture_is_without_the_words_beside_it(
    serve: Callable[[Answer], StandIn], processor: Any
) -> None:
    def answer(body: dict[str, Any]) -> bytes:
        picture, text = body["messages"][0]["content"]
        image = Image.open(io.BytesIO(base64.b64decode(picture["image_url"]["url"].partition(",")[2])))
        given = processor(images=image, text=f"{USER} {IMAGE}\n{text['text']}{ASSISTANT}")
        usage = {"prompt_tokens": len(given["input_ids"][0]), "completion_tokens": 1}
        return json.dumps({"choices": [{"message": {"content": "a"}}], "usage": usage}).encode()

    found = asyncio.run(counts_there(client_of(serve(answer), chat=True), LEARNER))
    assert found == {name: SMALL.tokens(scaled(size, SMALL)).total for name, size in SIZES.items()}


def test_a_data_url_loses_nothing() -> None:
    picture = PROBLEMS[0].scene.draw()
    kind, _, content = data_url(picture).partition(",")
    assert kind == "data:image/png;base64"
    assert pixels(Image.open(io.BytesIO(base64.b64decode(content)))) == pixels(picture)
