// node triples.mjs ttl|jsonld|rdf < FILE: the triples of a file, as programs read
// them that share no code with Inspraak. Prints a JSON array; each triple is
// [subject, property, value], each of these {kind, value, language, datatype}.
import { Parser } from "n3";
import jsonld from "jsonld";
import { RdfXmlParser } from "rdfxml-streaming-parser";
import { text } from "node:stream/consumers";

const offline = (url) => { throw new Error(`the file sends its reader to ${url}`); };

function rdfXML(source) {
  return new Promise((resolve, reject) => {
    const quads = [];
    const parser = new RdfXmlParser({ strict: true });
    parser.on("data", (quad) => quads.push(quad)).on("error", reject).on("end", () => resolve(quads));
    parser.end(source);
  });
}

const read = {
  ttl: (source) => new Parser({ format: "text/turtle" }).parse(source),
  jsonld: (source) => jsonld.toRDF(JSON.parse(source), { documentLoader: offline }),
  rdf: rdfXML,
};

const term = (t) => ({ kind: t.termType, value: t.value, language: (t.language ?? "").toLowerCase(), datatype: t.datatype?.value ?? "" });
const quads = await read[process.argv[2]](await text(process.stdin));
console.log(JSON.stringify(quads.map((q) => [term(q.subject), term(q.predicate), term(q.object)])));
