import { defineConfig } from "vitest/config";

// Nothing here is timed: a busy machine may take as long as it needs.
export default defineConfig({ test: { include: ["tests/**/*.test.ts"], testTimeout: 120_000 } });
