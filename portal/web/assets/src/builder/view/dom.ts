/** Makes elements: h("button", { type: "button", onclick: act }, "Save"). Text is always text, never markup. */

export type Child = Node | string | null | undefined | false | Child[];
type Props = Record<string, string | number | boolean | null | undefined | ((event: never) => void)>;

export function h<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  props: Props = {},
  ...children: Child[]
): HTMLElementTagNameMap[Tag] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === "function") element.addEventListener(name.slice(2), value as unknown as EventListener);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  append(element, children);
  return element;
}

function append(parent: Element, children: Child[]): void {
  for (const child of children) {
    if (Array.isArray(child)) append(parent, child);
    else if (child) parent.append(child);
  }
}

let lastId = 0;

/** An id that no other element of the page has. */
export function freshId(prefix: string): string {
  lastId += 1;
  return `${prefix}-${lastId}`;
}

/** A label above its control, help or an error below; the control is described by them. */
export function field(label: string, control: HTMLElement, ...below: Child[]): HTMLElement {
  const id = control.id || freshId("f");
  control.id = id;
  const shown = below.flat().filter(Boolean);
  const help = shown.length > 0 ? h("div", { class: "form-hint", id: `${id}-help` }, ...below) : null;
  if (help) control.setAttribute("aria-describedby", help.id);
  return h("div", { class: "b-field" }, h("label", { class: "form-label", for: id }, label), control, help);
}

export function button(label: Child, act: () => void, more: Props = {}): HTMLButtonElement {
  return h("button", { type: "button", class: "btn", onclick: act, ...more }, label);
}
