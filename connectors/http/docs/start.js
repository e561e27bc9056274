/** Opens Swagger UI on the document of this node. */
window.ui = window.SwaggerUIBundle({
  url: '/openapi.json',
  dom_id: '#swagger-ui',
  deepLinking: true,
  displayRequestDuration: true,
  defaultModelsExpandDepth: 0,
  // No document of ours leaves this machine to be looked at elsewhere.
  validatorUrl: null,
});
