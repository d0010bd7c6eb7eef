// Serves TLS like a master written in Go: parses only the first block of the certificate file, and sends all of them.
// Arguments: certificate file, key file. Writes its port as a line, and serves until it is killed.
package main

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"os"
)

func main() {
	pair, err := tls.LoadX509KeyPair(os.Args[1], os.Args[2])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{pair}})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	http.HandleFunc("/info", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"version": "0.38.1", "cluster_id": "c-1"}`)
	})
	http.HandleFunc("/agents", func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, `{"message": "parsing reconnect query param: invalid syntax"}`, http.StatusInternalServerError)
	})
	fmt.Println(listener.Addr().String())
	http.Serve(listener, nil)
}
