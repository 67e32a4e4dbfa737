# Ringleader's server with its pages: docker build -t ringleader .
# docs/deploy.md says how to run it.

FROM node:24-slim AS build
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --no-audit --no-fund
COPY . .
RUN npm run build
# Neither types nor the maps to the sources are needed to run.
RUN find dist -type f \( -name '*.d.ts' -o -name '*.map' -o -name '*.tsbuildinfo' \) -delete

FROM node:24-slim AS packages
WORKDIR /app
COPY package.json package-lock.json ./
# TypeScript counts as an optional package.
RUN npm ci --omit=dev --omit=optional --no-audit --no-fund

FROM node:24-slim
WORKDIR /app
ENV NODE_ENV=production STATE_DIRECTORY=/app/state METRICS_PORT=9090
COPY package.json ./
COPY --from=packages /app/node_modules node_modules
COPY --from=build /app/dist dist
# What outlives the process: the secret, where none is given. Nothing else is ever written.
RUN mkdir state && chown 1000:1000 state
VOLUME /app/state
# The user "node" by its number, which tells that it is not root.
USER 1000:1000
EXPOSE 3000
HEALTHCHECK --interval=10s --start-period=10s CMD ["node", "-e", "fetch('http://localhost:' + (process.env.PORT || 3000) + (process.env.BASE_PATH || '/').replace(/\\/?$/, '/') + 'readyz').then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
CMD ["node", "dist/signaling-server/main.js"]
