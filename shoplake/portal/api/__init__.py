"""The routes, one module for each thing that they are about; `shoplake.portal.app.ROUTERS` lists them."""
