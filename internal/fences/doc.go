// Package fences keeps the rooms apart: its tests read the imports of every
// package of the module and compare them with the table of who may import whom.
//
// What enters: the source tree. What leaves: a test failure that names the
// import and the fence. The package has no code of its own and is imported by
// nobody.
package fences
