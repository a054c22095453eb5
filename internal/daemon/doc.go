// Package daemon wires the rooms into the process that serves: store, loop,
// verbs and socket, with readiness and an orderly end.
//
// What enters: directories, a logger, and a context that ends. What leaves: a
// socket that answers, until the context ends. The kernel keeps everything the
// daemon made; a restart disturbs no packet.
//
// Nothing imports daemon but main. It must not import cli.
package daemon
