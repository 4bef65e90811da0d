module idemstore.example/idemstore/test

go 1.19
