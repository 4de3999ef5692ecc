// Package as2 reads and writes ActivityStreams 2.0 documents.
//
// Every ActivityPub document that enters or leaves the node passes through
// this package, and no other package knows the library behind it,
// github.com/go-fed/activity/streams. What others see are plain structs.
//
// # Reading
//
// Reading has steps, so that cheap checks come before expensive ones: [Decode]
// bounds and decodes the bytes once; between it and the next step a caller can
// compare hosts and verify a signature; then [Document.Activity],
// [Document.Object], [Document.AsActor] or [Document.AsKey] gives the document
// its meaning. All of them work on the same decoded tree, so nothing can mean
// one thing to the check and another to the count.
//
// The flat part of each activity, object, actor and key that states a time
// (strings, numbers, booleans and lists of these) is handed to streams.ToType,
// one node at a time; a Create and a Note to the reader that it would choose. A
// document that it refuses, or that makes it panic, is malformed. Types it does not know go in as
// their nearest base: EmojiReact as Like, QuoteRequest as Activity, Answer as
// Note, anything else as Object. Times are taken from its typed values.
//
// Identifiers and texts are taken from the tree, byte for byte. The library
// reads every string that might be a URL as one and writes it back in another
// spelling: the option "Ja: bomen" would return as "ja: bomen", the actor
// "HTTPS://a.example/" as "https://a.example/". What hangs below a node (tags,
// attachments, links, contentMap, the options of a poll) is read from the tree
// too: the library tries an embedded value against each of some fifty types,
// which costs 30 µs apiece, and knows no Hashtag, Multikey or endpoints.
//
// The sender's @context is not interpreted and never fetched; properties go by
// their usual short names. This is no JSON-LD processor.
//
// # Writing
//
// [Note], [OutActor], [OutActivity], [Tombstone], [QuoteAuthorization] and
// [Collection] are built with the library's types and serialised by it. Beside
// it go: a constant @context for each kind of document (its own has a random
// order), lists of one element (it writes them as scalars), content next to
// contentMap, and what it has no property for: sensitive, interactionPolicy,
// endpoints, PropertyValue, Hashtag, manuallyApprovesFollowers, indexable,
// webfinger, implements, and the two types of FEP-044f. The same struct always
// gives the same bytes. Times are written in UTC, in whole seconds.
//
// Nothing here is sanitised, fetched, logged or stored.
package as2
