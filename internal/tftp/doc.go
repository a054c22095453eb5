// Package tftp serves the files of a directory to guests that boot from the
// network (RFC 1350), read only.
//
// What enters: a namespace, a plan.TFTP, requests from guests. What leaves:
// blocks of regular files below the directory. Neither .. nor a symbolic link
// leads out of it: the kernel resolves names below the directory (os.Root).
//
// Every transfer has a socket of its own, made in the namespace and connected to
// its client, so that it hears nobody else. Options are blksize (RFC 2348),
// tsize and timeout (RFC 2349) and windowsize (RFC 7440); none of the libraries
// opens the sockets of its transfers in a namespace, so the protocol is here.
//
// Its sockets are bound to the bridge, so that it answers guests of the network
// only. It imports netns and plan.
package tftp
