/** Runs the steps of a Dockerfile without a container engine: each stage in a folder that stands for its root. */
import { execFile } from 'node:child_process';
import { cp, mkdir, readFile, stat } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import * as v from 'valibot';

const run = promisify(execFile);

interface Stage {
  /** What stands for `/`. */
  readonly root: string;
  workdir: string;
  readonly env: Map<string, string>;
  readonly volumes: string[];
  user: string;
  command: readonly string[];
  healthCheck: readonly string[];
}

/** What a container of the image would run, with the paths of its folder. */
export interface Image extends Stage {
  /** The path in the folder for one in the image. */
  path(inImage: string): string;
}

const CommandSchema = v.pipe(v.string(), v.parseJson(), v.array(v.string()));

/** Instructions, without comments, each in one line. */
function instructionsIn(text: string): { name: string; rest: string }[] {
  return text
    .replaceAll(/^\s*#.*\n/gm, '')
    .replaceAll(/\\\n\s*/g, ' ')
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => {
      const [, name = '', rest = ''] = /^([A-Z]+)\s+(.+)$/.exec(line) ?? [];
      return { name, rest };
    });
}

/** The entries of a context: .dockerignore leaves out all but some of them. */
async function contextOf(folder: string): Promise<string[]> {
  const lines = (await readFile(join(folder, '.dockerignore'), 'utf8'))
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'));
  const [all, ...kept] = lines;
  const isPlain = all === '*' && kept.every((line) => /^![\w.-]+$/.test(line));
  if (!isPlain) throw new Error('.dockerignore has something that is not understood here');
  return kept.map((line) => line.slice(1));
}

/**
 * Builds an image.
 * @param context the folder with Dockerfile and .dockerignore
 * @param into an empty folder
 */
export async function buildImage(context: string, into: string): Promise<Image> {
  const stages = new Map<string, Stage>();
  let stage: Stage | null = null;
  for (const { name, rest } of instructionsIn(await readFile(join(context, 'Dockerfile'), 'utf8')))
    if (name === 'FROM') {
      const [, as = 'last'] = / AS (\w+)$/.exec(rest) ?? [];
      stage = {
        ...{ root: join(into, as), workdir: '/', env: new Map(), volumes: [] },
        ...{ user: '', command: [], healthCheck: [] },
      };
      await mkdir(stage.root);
      stages.set(as, stage);
    } else if (stage === null) throw new Error(`${name} before FROM`);
    else await perform(name, rest, { stage, stages, context });
  if (stage === null) throw new Error('no stage');
  const { root } = stage;
  return { ...stage, path: (inImage) => join(root, inImage) };
}

async function perform(
  name: string,
  rest: string,
  ports: { stage: Stage; stages: ReadonlyMap<string, Stage>; context: string },
): Promise<void> {
  const { stage } = ports;
  switch (name) {
    case 'WORKDIR':
      stage.workdir = rest;
      await mkdir(join(stage.root, rest), { recursive: true });
      return;
    case 'ENV':
      for (const pair of rest.split(/\s+/)) {
        const [key = '', value = ''] = pair.split('=');
        stage.env.set(key, value);
      }
      return;
    case 'COPY':
      return copy(rest, ports);
    case 'RUN': {
      // The test runner's own would make a build for tests.
      const env = { ...process.env };
      delete env['NODE_ENV'];
      const cwd = join(stage.root, stage.workdir);
      await run('/bin/sh', ['-c', rest], {
        cwd,
        env: { ...env, ...Object.fromEntries(stage.env) },
      });
      return;
    }
    case 'VOLUME':
      stage.volumes.push(rest);
      return;
    case 'USER':
      stage.user = rest;
      return;
    case 'EXPOSE':
      return;
    case 'HEALTHCHECK':
      stage.healthCheck = v.parse(CommandSchema, rest.replace(/^.* CMD /, ''));
      return;
    case 'CMD':
      stage.command = v.parse(CommandSchema, rest);
      return;
    default:
      throw new Error(`the instruction ${name} is not understood here`);
  }
}

async function copy(
  rest: string,
  { stage, stages, context }: { stage: Stage; stages: ReadonlyMap<string, Stage>; context: string },
): Promise<void> {
  const words = rest.split(/\s+/);
  const [, from] = /^--from=(\w+)$/.exec(words[0] ?? '') ?? [];
  if (from !== undefined) words.shift();
  const to = resolve(stage.root, `.${stage.workdir}`, words.pop() ?? '');
  const root = from === undefined ? context : stages.get(from)?.root;
  if (root === undefined) throw new Error(`no stage ${from}`);
  const entries = words.join() === '.' ? await contextOf(context) : words;
  for (const entry of entries) {
    const path = join(root, entry);
    const isFolder = (await stat(path)).isDirectory();
    const isAlone = words.join() !== '.' && isFolder;
    await cp(path, isAlone ? to : join(to, basename(entry)), {
      recursive: true,
      verbatimSymlinks: true,
    });
  }
}
