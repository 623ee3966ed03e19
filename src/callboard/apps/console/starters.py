"""Who started a run, by the name that people know; records have ids, which never change."""

from callboard.runtime import Action, Desk


async def starters(desk: Desk) -> dict[str, str]:
    """Names of keys and people by what records call them, such as `key:9f3a`; none for who may not see these lists."""
    if not desk.may(Action.ACCESS_MANAGE):
        return {}
    found = {f"key:{key.id}": key.name for key in await desk.credentials.keys()}
    return found | {f"person:{each.login}": each.name for each in await desk.credentials.people()}
