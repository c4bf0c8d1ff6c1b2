// Allows an authorization request, and prints the address that the person would be sent to.
import { allow } from './browser.mjs';

console.log(await allow(process.argv[2], { email: process.env.PERSON_EMAIL, password: process.env.PERSON_PASSWORD }));
