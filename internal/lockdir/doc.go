// Package lockdir makes directories of which one process at a time has the files: the
// lease book, and the journal of changes of the host.
//
// What enters: a path. What leaves: the directory, on disk and locked until it is
// closed or the process ends, however it does. It imports no other room.
package lockdir
