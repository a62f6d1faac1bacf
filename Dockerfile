# Build: everything, compiled. Runtime: production packages and dist/ alone, as a user without rights, started without a shell.
# docs/security.md tells what the image holds.
FROM node:24-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --no-audit --no-fund
COPY tsconfig.json ./
COPY scripts ./scripts
COPY src ./src
COPY docs/runbook.md ./docs/
RUN node node_modules/typescript/bin/tsc -p tsconfig.json && node scripts/docs-page.mjs && node scripts/console-page.mjs && npm prune --omit=dev

FROM node:24-slim
# Of Node only the runtime stays: no package manager.
RUN rm -rf /usr/local/lib/node_modules /opt/yarn-* /usr/local/bin/npm /usr/local/bin/npx /usr/local/bin/corepack /usr/local/bin/yarn /usr/local/bin/yarnpkg
ENV NODE_ENV=production HOST=0.0.0.0 PORT=3001 CHAT_DATABASE=/app/data/chat.db
WORKDIR /app
COPY --from=build /app/node_modules ./node_modules
COPY --from=build /app/dist ./dist
COPY package.json ./
COPY flags ./flags
RUN mkdir -p data && chown 1000:1000 data
# `node`, as a number: Kubernetes' runAsNonRoot knows no names. Nothing but data/ and the mounted flags is written: the root may be read-only.
USER 1000:1000
EXPOSE 3001
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s --retries=3 \
  CMD ["node", "dist/cli/healthcheck.js"]
CMD ["node", "dist/main.js"]
