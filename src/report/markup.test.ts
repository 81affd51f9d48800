import { expect, test } from "vitest";
import { escapeHtml, html, nameOf } from "./markup.js";

test("text is escaped, markup is not, lists are joined, null is nothing", () => {
  const inner = html`<i>${"a < b"}</i>`;
  expect(html`<b title="${"\"'"}">${inner}${[inner, 3, "&"]}${null}</b>`.text).toBe(
    '<b title="&quot;&#39;"><i>a &lt; b</i><i>a &lt; b</i>3&amp;</b>',
  );
});

test("characters that no page may hold are replaced", () => {
  expect(escapeHtml("a\u0000b\u001b[31mc\ud800d\u0085\ufffe\t\n")).toBe("a�b�[31mc�d��\t\n");
  expect(escapeHtml("😀")).toBe("😀");
});

test("names are isolated, may break at separators, and lose their middle when very long", () => {
  expect(nameOf("a/b.c").text).toBe('<bdi class="name">a/<wbr/>b.<wbr/>c</bdi>');
  const long = nameOf(`${"x".repeat(1e6)}yz`).text;
  expect(long).toBe(`<bdi class="name">${"x".repeat(60)}…${"x".repeat(58)}yz</bdi>`);
  // Cut between characters, not inside of one.
  expect(nameOf("😀".repeat(500)).text).toBe(`<bdi class="name">${"😀".repeat(60)}…${"😀".repeat(60)}</bdi>`);
});
