// Package spec holds the objects people write: networks, host bridges and
// ports, their defaults and their rules.
//
// What enters: values filled by an edge room (specfile reads YAML) or by the
// API. What leaves: the same values with defaults filled in, and a list of
// Problems, each with the path of the value at fault, so that an edge can point
// at a line and column.
//
// spec is pure. It imports the standard library only: no file, no socket, no
// clock, no YAML or XML library.
package spec
