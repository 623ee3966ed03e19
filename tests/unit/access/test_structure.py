"""What a flow's code names, found without running it."""

import callboard as cb
from callboard.access import structure
from callboard.access.structure import named_by

app = cb.App("named")


@app.tool(effect="read")
async def look(item: str) -> str:
    return item


agent = app.agent("teller", model=cb.ScriptedModel(["x"]), tools=[look])


@app.flow
async def child(ctx: cb.Context, line: str) -> str:
    return line


async def through(ctx: cb.Context, line: str) -> str:
    return str(await look.call(ctx, item=line))


def test_agents_tools_and_flows_are_found_also_through_functions_of_the_module() -> None:
    enclosed = app.agent("enclosed", model=cb.ScriptedModel(["x"]))

    async def flow(ctx: cb.Context, line: str) -> object:
        async def inner() -> object:
            return await agent.run(ctx, line)

        await through(ctx, line)
        return [await inner(), await ctx.spawn(child, line), await enclosed.run(ctx, line), structure.named_by]

    assert {each.name for each in named_by(flow)} == {"look", "teller", "child", "enclosed"}


def test_code_that_names_nothing_or_itself_ends() -> None:
    async def again(ctx: cb.Context, line: str) -> object:
        return await again(ctx, line)

    assert named_by(again) == [] and named_by(print) == []
