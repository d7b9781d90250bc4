/** Address of the icon sprite, put in by build.mjs. */
declare const ICONS_URL: string;

declare module "@alpinejs/csp" {
  const Alpine: { start(): void; data(name: string, make: (...values: unknown[]) => object): void };
  export default Alpine;
}
