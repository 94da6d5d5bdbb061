// Package stray belongs to no row of the table.
package stray // want-package "^policy: no row"
