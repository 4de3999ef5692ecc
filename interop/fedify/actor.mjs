// An account on a Fedify server, driven by another program: one JSON object a
// line in, one JSON object a line out.
//
//   node actor.mjs [--name fedify] [--host 127.0.0.1] [--port 0]
//                  [--tls-cert FILE --tls-key FILE]
//
// Serialising, signing and verifying are Fedify's own, with its default keys
// (RSA-4096 and Ed25519) and its default order of signatures (RFC 9421 first,
// draft-cavage when refused). Nothing is kept when the program ends. It talks
// to loopback peers, and names under .test and .localhost (RFC 6761) mean
// 127.0.0.1. With a certificate it serves HTTPS; to trust a test CA start it
// with NODE_EXTRA_CA_CERTS. Handles are looked up over HTTPS only (WebFinger,
// RFC 7033), URLs over either.
//
// IN: {"do": COMMAND, "ref": anything, …}. A "ref" comes back in the answer.
// Commands are answered in the order in which they end, not in which they came,
// and "accepted" may well come before "followed".
//
//   lookup   {handle|url}                     → found    {object}
//   follow   {actor}                          → followed {id, actor}
//   unfollow {actor}                          → unfollowed {id, actor}
//   vote     {question, names, shared?}       → voted    {question, ids}
//   reply    {object, text, shared?}          → replied  {id, object}
//   send     {to, activity, shared?}          → sent     {id, to}
//   stop                                      → stopped, and the program ends
//
// An answer to follow, unfollow, vote, reply and send means that the other
// side said 2xx; its "signature" is the form that was accepted ("rfc9421" or
// "draft-cavage-http-signatures-12"). `vote` sends one Create per name, all at
// once. `send` delivers any activity given as JSON-LD; it fills in @context, id
// and actor where they are missing. "shared" prefers the shared inbox. What
// goes wrong is answered {"event": "error", "do", "ref", "message"}.
//
// OUT, unasked:
//   ready      {actor, handle, inbox, port}
//   accepted   {actor, follow, known, whole}  known: the id is of our Follow;
//   rejected   {…the same}                    whole: the Follow is embedded
//   created    {activity, actor, object}
//   updated    {activity, actor, object}
//   deleted    {activity, actor, object}
//   received   {activity, actor, type, object} any other activity
//   unverified {activity, actor, reason}      a signature Fedify refuses
// Those with an activity also have "signature": the form of its HTTP signature.
//
// "object" is {id, type} and what is known of: url, name, content, summary,
// actor, inReplyTo, published, updated, tags; of a question also options
// [{name, votes}], multiple, voters, endTime, closed; of an actor also handle,
// inbox, sharedInbox. Instants are RFC 3339. What Fedify cannot read is absent.

import { createFederation, generateCryptoKeyPair, MemoryKvStore } from "@fedify/fedify";
import * as vocab from "@fedify/vocab";
import { Temporal } from "@js-temporal/polyfill";
import dns from "node:dns";
import { readFileSync } from "node:fs";
import http from "node:http";
import https from "node:https";
import { createInterface } from "node:readline";
import { parseArgs } from "node:util";

const { values: flags } = parseArgs({
  options: {
    name: { type: "string", default: "fedify" },
    host: { type: "string", default: "127.0.0.1" },
    port: { type: "string", default: "0" },
    "tls-cert": { type: "string" },
    "tls-key": { type: "string" },
  },
});
const me = { identifier: flags.name };
const notes = new Map(); // id of a reply → Note, to be fetched
const follows = new Map(); // id of an actor → our Follow of it
const actors = new Map(); // id of an actor → what a delivery needs

const say = (event, fields) => process.stdout.write(JSON.stringify({ event, ...fields }) + "\n");

const systemLookup = dns.lookup;
dns.lookup = (name, options, done) =>
  systemLookup(/\.(test|localhost)\.?$/i.test(name) ? "127.0.0.1" : name, options, done);

// The server: Node's HTTP on one side, the fetch interface on the other.

const tls = flags["tls-cert"] !== undefined;
const server = tls
  ? https.createServer({ cert: readFileSync(flags["tls-cert"]), key: readFileSync(flags["tls-key"]) })
  : http.createServer();
await new Promise((ready, failed) => {
  server.once("error", failed);
  server.listen(Number(flags.port), "127.0.0.1", ready);
});
const { port } = server.address();
const origin = `${tls ? "https" : "http"}://${flags.host}:${port}`;

server.on("request", async (incoming, outgoing) => {
  try {
    const headers = new Headers();
    for (let i = 0; i < incoming.rawHeaders.length; i += 2) headers.append(incoming.rawHeaders[i], incoming.rawHeaders[i + 1]);
    const chunks = [];
    for await (const chunk of incoming) chunks.push(chunk);
    const body = chunks.length > 0 ? Buffer.concat(chunks) : undefined;
    const request = new Request(new URL(incoming.url, origin), { method: incoming.method, headers, body });
    const signature = headers.has("signature-input") ? "rfc9421" : "draft-cavage-http-signatures-12";
    const response = await federation.fetch(request, { contextData: { signature } });
    outgoing.writeHead(response.status, Object.fromEntries(response.headers));
    outgoing.end(Buffer.from(await response.arrayBuffer()));
  } catch (error) {
    say("error", { do: "serve", message: String(error) });
    outgoing.writeHead(500).end();
  }
});

// The account: what it shows and what it hears.

const kv = new MemoryKvStore();
const signatures = ["signatures"];
const federation = createFederation({
  kv,
  kvPrefixes: { httpMessageSignaturesSpec: signatures },
  origin,
  allowPrivateAddress: true,
});

federation
  .setActorDispatcher("/users/{identifier}", async (ctx, identifier) => {
    if (identifier !== me.identifier) return null;
    const keys = await ctx.getActorKeyPairs(identifier);
    return new vocab.Person({
      id: ctx.getActorUri(identifier),
      preferredUsername: identifier,
      name: "A citizen on a Fedify server",
      url: ctx.getActorUri(identifier),
      inbox: ctx.getInboxUri(identifier),
      endpoints: new vocab.Endpoints({ sharedInbox: ctx.getInboxUri() }),
      publicKey: keys[0].cryptographicKey,
      assertionMethods: keys.map((key) => key.multikey),
    });
  })
  .setKeyPairsDispatcher((_ctx, identifier) => (identifier === me.identifier ? keyPairs : []));

federation.setObjectDispatcher(vocab.Note, "/users/{identifier}/notes/{note}", (ctx, values) =>
  notes.get(ctx.getObjectUri(vocab.Note, values).href) ?? null);

federation
  .setInboxListeners("/users/{identifier}/inbox", "/inbox")
  .setSharedKeyDispatcher(() => me)
  .on(vocab.Accept, (ctx, accept) => answered("accepted", ctx, accept))
  .on(vocab.Reject, (ctx, reject) => answered("rejected", ctx, reject))
  .on(vocab.Create, (ctx, create) => heard("created", ctx, create))
  .on(vocab.Update, (ctx, update) => heard("updated", ctx, update))
  .on(vocab.Delete, (ctx, activity) =>
    say("deleted", { ...envelope(ctx, activity), object: { id: activity.objectId?.href } }))
  .on(vocab.Activity, (ctx, activity) =>
    say("received", { ...envelope(ctx, activity), type: activity.constructor.name, object: { id: activity.objectId?.href } }))
  .onUnverifiedActivity((ctx, activity, reason) => say("unverified", { ...envelope(ctx, activity), reason: reason.type }))
  .onError((_ctx, error) => say("error", { do: "receive", message: String(error) }));

const keyPairs = [await generateCryptoKeyPair("RSASSA-PKCS1-v1_5"), await generateCryptoKeyPair("Ed25519")];
const ctx = federation.createContext(new URL(origin), {});

function envelope(ctx, activity) {
  return { activity: activity.id?.href, actor: activity.actorId?.href, signature: ctx.data.signature };
}

async function heard(event, ctx, activity) {
  say(event, { ...envelope(ctx, activity), object: await describe(await activity.getObject(ctx)) });
}

// The Follow in the answer was written by its receiver, so it is believed only
// where its id is of a Follow that was sent from here.
async function answered(event, ctx, activity) {
  const follow = await activity.getObject({ ...ctx, crossOrigin: "trust" });
  const whole = follow instanceof vocab.Follow && follow.actorId?.href === ctx.getActorUri(me.identifier).href &&
    follow.objectId?.href === activity.actorId?.href;
  const known = follows.get(activity.actorId?.href)?.id.href === activity.objectId?.href;
  say(event, { ...envelope(ctx, activity), follow: activity.objectId?.href, known, whole });
}

async function describe(object) {
  if (object == null) return null;
  const fields = {
    id: object.id?.href,
    type: object.constructor.name,
    url: object.url instanceof URL ? object.url.href : object.url?.href?.href,
    name: object.name?.toString(),
    content: object.content?.toString(),
    summary: object.summary?.toString(),
    actor: object.attributionId?.href,
    inReplyTo: object.replyTargetId?.href,
    published: object.published?.toString(),
    updated: object.updated?.toString(),
  };
  const tags = [];
  for await (const tag of object.getTags()) tags.push(tag.name?.toString());
  if (tags.length > 0) fields.tags = tags;
  if (object instanceof vocab.Question) {
    fields.options = [];
    for await (const option of object.getExclusiveOptions()) fields.options.push(await describeOption(option));
    fields.multiple = fields.options.length === 0;
    for await (const option of object.getInclusiveOptions()) fields.options.push(await describeOption(option));
    fields.voters = object.voters;
    fields.endTime = object.endTime?.toString();
    fields.closed = object.closed?.toString();
  }
  if (vocab.isActor(object)) {
    fields.handle = object.preferredUsername?.toString();
    fields.inbox = object.inboxId?.href;
    fields.sharedInbox = object.endpoints?.sharedInbox?.href;
  }
  return fields;
}

async function describeOption(option) {
  return { name: option.name?.toString(), votes: (await option.getReplies())?.totalItems };
}

// The commands.

async function fetched(what) {
  const documentLoader = await ctx.getDocumentLoader(me);
  const object = await ctx.lookupObject(what, { documentLoader });
  if (object === null) throw new Error(`nothing found at ${what}`);
  return object;
}

async function recipient(id) {
  if (!actors.has(id)) {
    const actor = await fetched(id);
    if (!vocab.isActor(actor)) throw new Error(`${id} is no actor`);
    actors.set(id, actor);
  }
  return actors.get(id);
}

async function deliver(actor, activity, command) {
  await ctx.sendActivity(me, actor, activity, { preferSharedInbox: command.shared === true });
  return kv.get([...signatures, actor.inboxId.origin]);
}

const newId = (path) => new URL(`${ctx.getActorUri(me.identifier).href}${path}${crypto.randomUUID()}`);

const commands = {
  async lookup({ handle, url }) {
    return ["found", { object: await describe(await fetched(handle ?? url)) }];
  },

  async follow(command) {
    const actor = await recipient(command.actor);
    const follow = new vocab.Follow({ id: newId("#follow/"), actor: ctx.getActorUri(me.identifier), object: actor.id, to: actor.id });
    follows.set(actor.id.href, follow);
    const signature = await deliver(actor, follow, command);
    return ["followed", { id: follow.id.href, actor: actor.id.href, signature }];
  },

  async unfollow(command) {
    const follow = follows.get(command.actor);
    if (follow === undefined) throw new Error(`${command.actor} is not followed`);
    const undo = new vocab.Undo({ id: newId("#undo/"), actor: follow.actorId, object: follow, to: follow.objectId });
    const signature = await deliver(await recipient(command.actor), undo, command);
    follows.delete(command.actor);
    return ["unfollowed", { id: undo.id.href, actor: command.actor, signature }];
  },

  async vote(command) {
    const question = await fetched(command.question);
    const author = await recipient(question.attributionId.href);
    const ids = [];
    const spec = await Promise.all(command.names.map((name) => {
      const mark = new vocab.Note({
        id: newId("#votes/"),
        attribution: ctx.getActorUri(me.identifier),
        to: author.id,
        name,
        replyTarget: question.id,
      });
      ids.push(mark.id.href);
      const create = new vocab.Create({ id: new URL(`${mark.id.href}/activity`), actor: mark.attributionId, to: author.id, object: mark });
      return deliver(author, create, command);
    }));
    return ["voted", { question: question.id.href, ids, signature: spec.at(-1) }];
  },

  async reply(command) {
    const parent = await fetched(command.object);
    const author = await recipient(parent.attributionId.href);
    const text = command.text.replace(/[&<>]/g, (sign) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;" })[sign]);
    const note = new vocab.Note({
      id: ctx.getObjectUri(vocab.Note, { ...me, note: crypto.randomUUID() }),
      attribution: ctx.getActorUri(me.identifier),
      to: vocab.PUBLIC_COLLECTION,
      cc: author.id,
      content: `<p>${text}</p>`,
      replyTarget: parent.id,
      tags: [new vocab.Mention({ href: author.id, name: `@${author.preferredUsername}@${author.id.host}` })],
      published: Temporal.Now.instant(),
    });
    notes.set(note.id.href, note);
    const create = new vocab.Create({
      id: new URL("#create", note.id),
      actor: note.attributionId,
      to: vocab.PUBLIC_COLLECTION,
      cc: author.id,
      object: note,
    });
    const signature = await deliver(author, create, command);
    return ["replied", { id: note.id.href, object: parent.id.href, signature }];
  },

  async send(command) {
    const activity = await vocab.Activity.fromJsonLd(
      {
        "@context": "https://www.w3.org/ns/activitystreams",
        id: newId("#activities/").href,
        actor: ctx.getActorUri(me.identifier).href,
        ...command.activity,
      },
      ctx,
    );
    const signature = await deliver(await recipient(command.to), activity, command);
    return ["sent", { id: activity.id.href, to: command.to, signature }];
  },
};

say("ready", {
  actor: ctx.getActorUri(me.identifier).href,
  handle: `@${me.identifier}@${new URL(origin).host}`,
  inbox: ctx.getInboxUri(me.identifier).href,
  port,
});

const lines = createInterface({ input: process.stdin });
lines.on("line", async (line) => {
  let command = {};
  try {
    command = JSON.parse(line);
    if (command.do === "stop") return lines.close();
    if (!Object.hasOwn(commands, command.do)) throw new Error(`unknown command ${command.do}`);
    const [event, fields] = await commands[command.do](command);
    say(event, { ref: command.ref, ...fields });
  } catch (error) {
    say("error", { do: command.do, ref: command.ref, message: error.message });
  }
});
lines.on("close", () => {
  server.close();
  server.closeAllConnections();
  process.stdout.write('{"event":"stopped"}\n', () => process.exit(0));
});
