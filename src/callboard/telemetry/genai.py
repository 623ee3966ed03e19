"""Names of OpenTelemetry's semantic conventions for generative AI, and our own beside them. All of them stand here.

The conventions live in a repository of their own (open-telemetry/semantic-conventions-genai) and are under development:
names may change from one version to the next, so each span says by its schema which version it speaks.
"""

SCHEMA = "https://opentelemetry.io/schemas/gen-ai-dev/1.42.0-dev"

OPERATION = "gen_ai.operation.name"
PROVIDER = "gen_ai.provider.name"
REQUEST_MODEL = "gen_ai.request.model"
MAX_TOKENS = "gen_ai.request.max_tokens"
TEMPERATURE = "gen_ai.request.temperature"
RESPONSE_MODEL = "gen_ai.response.model"
RESPONSE_ID = "gen_ai.response.id"
FINISH_REASONS = "gen_ai.response.finish_reasons"
OUTPUT_TYPE = "gen_ai.output.type"
INPUT_TOKENS = "gen_ai.usage.input_tokens"
OUTPUT_TOKENS = "gen_ai.usage.output_tokens"
CACHE_READ_TOKENS = "gen_ai.usage.cache_read.input_tokens"
CACHE_WRITE_TOKENS = "gen_ai.usage.cache_write.input_tokens"
REASONING_TOKENS = "gen_ai.usage.reasoning.output_tokens"
AGENT_NAME = "gen_ai.agent.name"
AGENT_VERSION = "gen_ai.agent.version"
WORKFLOW_NAME = "gen_ai.workflow.name"
CONVERSATION = "gen_ai.conversation.id"
TOOL_NAME = "gen_ai.tool.name"
TOOL_CALL_ID = "gen_ai.tool.call.id"
TOOL_TYPE = "gen_ai.tool.type"
TOOL_DESCRIPTION = "gen_ai.tool.description"
TOOL_ARGUMENTS = "gen_ai.tool.call.arguments"
TOOL_RESULT = "gen_ai.tool.call.result"
INPUT_MESSAGES = "gen_ai.input.messages"
OUTPUT_MESSAGES = "gen_ai.output.messages"
SYSTEM_INSTRUCTIONS = "gen_ai.system_instructions"

# Of the general conventions.
ERROR_TYPE = "error.type"
SERVICE_NAME = "service.name"
SERVICE_VERSION = "service.version"
SERVICE_INSTANCE = "service.instance.id"
HTTP_METHOD = "http.request.method"
HTTP_ROUTE = "http.route"
HTTP_STATUS = "http.response.status_code"
URL_SCHEME = "url.scheme"

# Operations.
CHAT = "chat"
EXECUTE_TOOL = "execute_tool"
INVOKE_AGENT = "invoke_agent"
INVOKE_WORKFLOW = "invoke_workflow"

# Ours: what the conventions have no word for.
RUN_ID = "callboard.run.id"
RUN_STATUS = "callboard.run.status"
FLOW = "callboard.flow"
FLOW_VERSION = "callboard.flow.version"
TENANT = "callboard.tenant"
STARTED_BY = "callboard.started_by"
PATH = "callboard.path"
ATTEMPT = "callboard.attempt"
COST = "callboard.cost_usd"
EFFECT = "callboard.effect"
ERROR_CLASS = "callboard.error.class"
HANDLING = "callboard.handling"
KEPT_ANSWER = "callboard.kept_answer"
RELEASE = "callboard.release"
WAITED_FOR = "callboard.waited_for"
KEPT_BECAUSE = "callboard.kept_because"
INPUT = "callboard.input"
OUTPUT = "callboard.output"

NOBODY = "callboard"  # the provider of what no model was asked for, and of models that are part of the program
