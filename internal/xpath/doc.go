// Package xpath picks nodes of an XML document by XPath expressions, and prints them
// as libxml2 does, for virsh's --xpath.
//
// What enters: a document and an expression. What leaves: a text for every node that
// the expression selects, in the order of the document.
//
// It is pure but for the engine that evaluates expressions, and of ours it must import
// nothing but xmltree, whose trees it walks.
package xpath
