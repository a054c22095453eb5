// Package store keeps the definitions on disk: a YAML file an object below the
// config directory, which people may read, edit, diff and back up, and below
// the runtime directory what lasts until the next boot: the networks that run,
// transient ports, and the record of borrowed host settings.
//
// What enters: specs to keep. What leaves: the specs as they are on disk now,
// hand edits included. A write is atomic and durable: a new file is synced and
// renamed over the old one, then the directory is synced. Of objects that are
// written together (batch.go) none is renamed before all are synced. A read parses
// what changed only; what did is heard from the kernel (watch.go), or, where that
// tells nothing, seen by the files' times.
//
// store imports spec and specfile; it knows nothing of kernels and networks.
package store
