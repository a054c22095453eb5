// Package xmltree takes XML documents apart as libxml2 does for libvirt, and prints
// elements as libxml2 prints them.
//
// What enters: a text. What leaves: a tree of Nodes, each of which knows its place,
// with namespaces resolved, and prefixes, comments, CDATA and instructions as they were
// written; Lines, which turn a place into a line and a column; or the Error that
// libxml2 has for the text, word for word. Nothing is fetched, and a document type that
// declares something is refused; size, depth, elements and attributes have bounds.
//
// It is pure, and must not import anything of ours. What a document means is not known
// here.
package xmltree
