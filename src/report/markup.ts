/** Markup that is safe to put into a page as it is. Only `html` makes it. */
export class Markup {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

type Content = Markup | string | number | readonly Content[] | null;

/**
 * A template whose values are escaped unless they are markup themselves, so that no text from a file can become markup:
 * html`<b>${"<script>"}</b>` -> <b>&lt;script&gt;</b>
 * Lists are joined; null is nothing. Values may stand in element content and in quoted attributes, nowhere else.
 */
export function html(parts: TemplateStringsArray, ...values: Content[]): Markup {
  let text = parts[0];
  for (const [i, value] of values.entries()) text += textOf(value) + parts[i + 1];
  return new Markup(text);
}

function textOf(value: Content): string {
  if (value === null) return "";
  if (value instanceof Markup) return value.text;
  if (typeof value === "string") return escapeHtml(value);
  if (typeof value === "number") return String(value);
  return value.map(textOf).join("");
}

const entities: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };

/** Characters with a meaning become entities; control characters and lone surrogates, which no page may hold, U+FFFD. */
export function escapeHtml(text: string): string {
  return text
    .replace(/(?![\t\n\r])[\p{Cc}\p{Cs}\ufffe\uffff]/gu, "\ufffd")
    .replace(/[&<>"']/g, (found) => entities[found]);
}

const shown = 120;

/**
 * A name that came from a file: isolated, so that right-to-left characters in it cannot reorder what stands around it,
 * with its middle left out when it is very long, and with places where its line may break.
 */
export function nameOf(name: string): Markup {
  const characters = [...name.slice(0, 4 * shown), ...(name.length > 4 * shown ? name.slice(-4 * shown) : "")];
  const short =
    characters.length <= shown
      ? name
      : `${characters.slice(0, shown / 2).join("")}…${characters.slice(-shown / 2).join("")}`;
  const pieces = short.split(/(?<=[/._:-])/).map((piece, i) => (i === 0 ? piece : html`<wbr/>${piece}`));
  return html`<bdi class="name">${pieces}</bdi>`;
}
