"""The routers of these doors, for the application."""

from fastapi import APIRouter

from callboard.apps.gateway.openai import catalogue, completions, conversations, responses

ROUTERS: tuple[APIRouter, ...] = (catalogue.router, completions.router, responses.router, conversations.router)
