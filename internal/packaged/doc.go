// Package packaged holds tests of what is installed: the Debian package, the units of
// systemd and the script of OpenRC. They install it on a machine of its own: a copy of a
// root in an overlay, with namespaces of its own for everything.
//
// It has no code but tests, and imports nothing of ours: it uses what is installed as
// users do.
package packaged
