module idemstore.example/idemstore

go 1.19
