// An API of Go's net/http: its reverse proxy hands each request on to the sandbox.
//
//	server ADDRESS:PORT SANDBOX-PORT CERTIFICATE KEY IDLE-SECONDS
//
// Nothing is set but the certificate and, if it is not 0, the idle limit.
package main

import (
	"log"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"strconv"
	"time"
)

func main() {
	sandbox, err := url.Parse("http://127.0.0.1:" + os.Args[2])
	if err != nil {
		log.Fatal(err)
	}
	seconds, err := strconv.Atoi(os.Args[5])
	if err != nil {
		log.Fatal(err)
	}
	server := &http.Server{
		Addr:        os.Args[1],
		Handler:     httputil.NewSingleHostReverseProxy(sandbox),
		IdleTimeout: time.Duration(seconds) * time.Second,
	}
	log.Fatal(server.ListenAndServeTLS(os.Args[3], os.Args[4]))
}
