/**
 * MiniMax-M1's chat format as a Jinja template, for readers of tokenizer_config.json. Equivalent to `formatChat` without a template.
 * The content of a message may be a string or a list of parts.
 */
export const chatTemplate = String.raw`
{%- macro text(message) -%}
  {%- if message.content is string -%}
    {{- message.content -}}
  {%- else -%}
    {%- for part in message.content -%}{{- part.text -}}{%- endfor -%}
  {%- endif -%}
{%- endmacro -%}
{{- '<begin_of_document>' -}}
{%- set system = namespace(text='') -%}
{%- for message in messages -%}
  {%- if message.role == 'system' -%}{%- set system.text = system.text + text(message) -%}{%- endif -%}
{%- endfor -%}
{%- if system.text != '' -%}
  {{- '<beginning_of_sentence>system ai_setting=assistant\n' + system.text + '<end_of_sentence>\n' -}}
{%- endif -%}
{%- if tools -%}
  {{- '<beginning_of_sentence>system tool_setting=tools\nYou are provided with these tools:\n<tools>\n' -}}
  {%- for tool in tools -%}{{- tool | tojson ~ '\n' -}}{%- endfor -%}
  {{- '</tools>\n\nIf you need to call tools, please respond with <tool_calls></tool_calls> XML tags, and provide tool-name and json-object of arguments, following the format below:\n' -}}
  {{- '<tool_calls>\n{name: <tool-name-1>, arguments: <args-json-object-1>}\n...\n</tool_calls><end_of_sentence>\n' -}}
{%- endif -%}
{%- for message in messages -%}
  {%- if message.role == 'user' -%}
    {{- '<beginning_of_sentence>user name=user\n' + text(message) + '<end_of_sentence>\n' -}}
  {%- elif message.role == 'assistant' -%}
    {{- '<beginning_of_sentence>ai name=assistant\n' + text(message) + '<end_of_sentence>\n' -}}
  {%- elif message.role == 'tool' -%}
    {{- '<beginning_of_sentence>tool name=tools\n' -}}
    {%- for part in message.content -%}
      {{- 'tool name: ' + part.name + '\ntool result: ' + part.text + '\n\n' -}}
    {%- endfor -%}
    {{- '<end_of_sentence>\n' -}}
  {%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}
  {{- '<beginning_of_sentence>ai name=assistant\n' -}}
{%- endif -%}
`.trim();
